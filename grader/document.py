import yaml


class D:
    pass


def read(path, schema, *, shown=None):
    d = D()
    d.value = schema.model_validate(yaml.safe_load(path.read_text()))
    return d
