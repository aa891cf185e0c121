"""What people are told (`messages`), and how it reaches them: the log, and channels of the library apprise."""
