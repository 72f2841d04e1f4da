"""The OpenAI-compatible server: any existing client thinks longer by changing its base URL.

It translates only: a request to a `Problem`, a run's events to chunks, a `Result` to a completion. How a client is
told of each error is in `errors`; keys and quotas are not known here yet.
"""
