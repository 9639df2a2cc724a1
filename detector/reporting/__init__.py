"""The papers: dispatch letters, the ledger, the daily brief, and the figures behind them."""
