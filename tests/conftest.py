"""Settings of the whole suite."""

from hypothesis import settings

# no test is timed: a busy machine is not a failing one
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
