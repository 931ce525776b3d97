"""What the chapters share: set-up, checks and the ledger, figures, and the site built from them."""
