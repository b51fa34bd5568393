"""Getting declared files, and accounting for every row that leaves a table.

Here live the sources (declared by hash, found in a folder, a cache or on the web), the reader of
raw tables, the row ledger, and what keeps people from being recognised: keyed pseudonyms and the
suppression of small cells. Raw tables, identifiers and free text may come in and go no further,
except identifiers that serve as group keys, which are pseudonymised on the way.
"""

from alc_stats.data.ledger import Ledger, LedgerRow
from alc_stats.data.privacy import pseudonymise, suppress
from alc_stats.data.readers import read_table
from alc_stats.data.sources import Source, locate

__all__ = ["Ledger", "LedgerRow", "Source", "locate", "pseudonymise", "read_table", "suppress"]
