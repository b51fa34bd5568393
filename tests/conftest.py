"""Settings of the whole suite."""

from hypothesis import settings

# no test is timed: a busy machine is not a failing one
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# witnesses import packages that the project does not need; their output is what tests read
collect_ignore_glob = ["reference/*"]
