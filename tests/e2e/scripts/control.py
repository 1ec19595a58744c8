# The reference's SDK for Python against our API: every call of a config, lists to their end, errors.
import os

import cloudflare

account = os.environ["CLOUDFLARE_ACCOUNT_ID"]
client = cloudflare.Cloudflare()
origin = dict(scheme="mysql", host="db.test", port=3306, database="d", user="u", password="hunter2")

configs = client.hyperdrive.configs
made = configs.create(account_id=account, name="one", origin=origin)
assert made.origin.scheme == "mysql" and "hunter2" not in made.to_json(), made
assert configs.get(made.id, account_id=account).to_json() == made.to_json()
edited = configs.edit(made.id, account_id=account, caching={"max_age": 9})
assert edited.caching.max_age == 9, edited
updated = configs.update(made.id, account_id=account, name="two", origin=origin)
assert updated.name == "two", updated
for number in range(25):
    configs.create(account_id=account, name=f"n{number}", origin=origin)
assert len(list(configs.list(account_id=account))) == 26
try:
    configs.create(account_id=account, name="two", origin=origin)
    raise AssertionError("a name was taken twice")
except cloudflare.BadRequestError as error:
    assert "already" in str(error), error
assert configs.delete(made.id, account_id=account) is None
try:
    configs.get(made.id, account_id=account)
    raise AssertionError("it was deleted")
except cloudflare.NotFoundError:
    pass
print("control.py: done")
