"""Numbers only: arrays in, arrays or frozen records out.

NumPy and SciPy are all that comes in; tables, names of columns and files stay outside. Every
kernel states its shapes and the formula it computes, and has a slow twin in the tests.
"""
