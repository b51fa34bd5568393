"""Forecasts: whether what people expect comes, and whether they tell it from what does not."""
