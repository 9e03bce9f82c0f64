// The action keeps what pip has fetched here, if it was asked to: the cases do not ask.
