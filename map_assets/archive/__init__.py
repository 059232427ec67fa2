"""The archive room: which raw files a session has, their copies in the archive, and receipts that prove them."""
