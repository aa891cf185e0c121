"""What was made is kept until something new is stored: charts and losses cost far more than looking whether they still hold."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar, cast

Thing = TypeVar("Thing")
MOST = 512


class Memory:
    """The things used last, by key; a key must change with all that its thing is made from."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._things: OrderedDict[Hashable, object] = OrderedDict()
        self._lock = threading.Lock()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._things

    def get(self, key: Hashable, make: Callable[[], Thing]) -> Thing:
        """The thing, made if need be; of two that ask at once both may make it."""
        with self._lock:
            if key in self._things:
                self._things.move_to_end(key)
                return cast(Thing, self._things[key])
        made = make()
        with self._lock:
            self._things[key] = made
            while len(self._things) > self.most:
                self._things.popitem(last=False)
        return made
