"""The mathematics of adaptive compute: what the answers seen so far say, when to stop, where the next token pays.

Nothing here reads, writes, waits or asks a model. What decides while a run goes on is plain Python and takes well under
a millisecond at 16 candidates; what is fitted beforehand (modules named ``…_fit``) needs numpy and scipy and is loaded
only then.
"""
