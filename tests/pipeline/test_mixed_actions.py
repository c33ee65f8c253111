"""Twenty users, two thousand mixed actions, two workers, two push servers: everyone has exactly what is theirs."""

import random
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from dev.processes import free_port, wait_for
from tests.pipeline.conftest import services
from tests.support.people import Device, Person
from tests.support.stack import start_stack

ACTIONS = 2_000
A_DAY = 86_400.0
USERS = [f"user {n:02}" for n in range(20)]
SEED = 20261122


def act(actor: Person, shop: Person, chance: random.Random) -> tuple[str, list[str]]:
    """One action; answers the notification's id and who should receive it."""
    target = chance.choice(USERS)
    match chance.choices(["message", "follow", "notify", "everyone"], weights=[50, 30, 18, 2])[0]:
        case "message":
            return actor.message(target, f"hello {target}"), [target]
        case "follow":
            return actor.follow(target), [target]
        case "notify":
            several = chance.sample(USERS, 5)
            return shop.notify(recipients=several), several
        case _:
            return shop.notify(everyone=True), USERS


def test_each_accepted_action_is_in_the_right_inboxes_once_and_on_every_screen_in_order(
    services_folder: Path, module_redis_url: str
) -> None:
    with ExitStack() as stack:
        database_url, broker_url = services("postgresql+rabbitmq", services_folder, stack, module_redis_url)
        other_push = str(free_port())
        more = {"push-2": {"PUSH_PORT": other_push}, "worker-2": {}}
        running = stack.enter_context(start_stack(services_folder, database_url, broker_url, more=more))
        push_urls = [running.push_url, f"http://127.0.0.1:{other_push}"]
        people = {name: Person(name, running) for name in USERS}
        shop = Person("shop", running, "notify")
        for person in people.values():
            person.summary()  # known from now on, also to what is sent to everyone
        # They never ask by themselves: what they see they were told of by their push server.
        screens = [(name, Device(name, running, url, A_DAY)) for name in USERS for url in push_urls]
        for _, screen in screens:
            stack.callback(screen.close)

        expected = defaultdict(list)
        with ThreadPoolExecutor(8) as pool:
            chances = [random.Random(SEED + n) for n in range(ACTIONS)]
            actors = [people[chance.choice(USERS)] for chance in chances]
            for id_, recipients in pool.map(act, actors, [shop] * ACTIONS, chances):
                for recipient in recipients:
                    expected[recipient].append(id_)

        for name, person in people.items():
            wait_for(lambda p=person: p.summary()["version"] >= len(expected[p.name]), 120, f"{name}'s inbox")  # type: ignore[misc]
            stored = [item["id"] for item in person.items()]
            assert sorted(stored) == sorted(expected[name]), f"{name} has something lost, doubled or foreign"
        for name, screen in screens:
            last = people[name].summary()["version"]
            wait_for(lambda s=screen, v=last: s.inbox.version == v, 40, f"{name}'s screen")  # type: ignore[misc]
            assert screen.versions == list(range(1, last + 1)), f"{name}'s screen missed or doubled a version"
            assert [item["id"] for item in screen.arrived] == [item["id"] for item in reversed(people[name].items())]
            assert screen.inbox.unread == last
