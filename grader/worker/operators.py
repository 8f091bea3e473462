def ban(names):
    pass
