from hypothesis import settings

# How long an example takes depends on the machine; no test here asserts time.
settings.register_profile("dataverse", deadline=None)
settings.load_profile("dataverse")
