import ctypes, signal
def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
