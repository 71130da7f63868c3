"""The client of a ledger's server. Imported only where a ledger is named by an address."""
