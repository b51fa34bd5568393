"""alc_stats: tests the competence-inversion hypothesis from raw survey and log files."""
