"""Records that no clean copy may hold, encrypted for one key: who scrubs can put them there, and not take them out."""
