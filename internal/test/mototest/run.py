# Runs moto's server as moto_server does, without what most of its time goes to: a
# line of log for each request, the names of its modules, which it reads from the
# directory for each, and copies of the whole table, which a transaction makes for
# each of its parts before the first is written. Here it makes one.

import copy
import threading
import types

from moto import backends, server
from moto.dynamodb import models

modules = list(backends.list_of_moto_modules())
backends.list_of_moto_modules = lambda: modules
server.MotoRequestHandler.log_request = lambda *_: None

transact = models.DynamoDBBackend.transact_write_items
running = threading.local()  # the transaction, if this thread serves one


def transact_write_items(self, items):
    running.copies = {}
    try:
        return transact(self, items)
    finally:
        del running.copies


def deepcopy(value):
    if not isinstance(value, models.Table):
        return copy.deepcopy(value)
    if id(value) not in running.copies:
        running.copies[id(value)] = copy.deepcopy(value)
    return running.copies[id(value)]


models.DynamoDBBackend.transact_write_items = transact_write_items
models.copy = types.SimpleNamespace(deepcopy=deepcopy)
server.main()
