"""The indexes against brute force, each in processes of its own, so that their memory can be told apart."""
