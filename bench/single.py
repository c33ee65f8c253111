"""single: notifications for one recipient each, as fast as they are accepted; then the latency at half of that rate."""

from dataclasses import dataclass

from bench.house import Costs, House, token
from bench.http import Pool, drive, pace
from bench.options import number
from bench.people import Crowd
from bench.posts import Posts, accepted
from bench.report import Figure, latencies, say

WARM_UP = 0.1  # of the posts


@dataclass(frozen=True)
class Options:
    users: int = number(500, most=5_000, help="people that are connected")
    posts: int = number(20_000, most=1_000_000)
    connections: int = number(32, most=1_000, help="connections of the producer")
    seconds: int = number(10, most=600, help="seconds of the latency measurement")


QUICK = Options(users=200, posts=3_000, seconds=5)


async def measure(house: House, options: Options) -> list[Figure]:
    names = [f"user{n}" for n in range(options.users)]
    async with Crowd(house, names) as crowd:
        posts = Posts(token("shop", "notify"), names)
        warm_up = max(1, round(options.posts * WARM_UP))
        say(f"warming up with {warm_up:,} posts")
        await _full_speed(house, crowd, posts, warm_up, options.connections)
        say(f"{options.posts:,} posts at full speed")
        full = await _full_speed(house, crowd, posts, options.posts, options.connections)
        rate = full[0].value / 2
        say(f"posts for {options.seconds} s at {rate:,.0f}/s")
        half = await _steady(house, crowd, posts, rate, options)
        return [*full, *half, *crowd.faults()]


async def _full_speed(house: House, crowd: Crowd, posts: Posts, many: int, connections: int) -> list[Figure]:
    """The first figure is the rate."""
    requests = posts.take(many)
    costs = Costs(house)
    sent = await drive(house.api_port, requests.values(), connections)
    taken = accepted(requests, sent)
    last = await crowd.expect([(n, posts.recipient(n)) for n in taken])
    seconds = last - min(one.at for one in sent)
    return [
        Figure("delivered at full speed", len(taken) / seconds, "/s"),
        Figure("not accepted", len(sent) - len(taken)),
        *latencies("post → 202 at full speed", [one.answered - one.at for one in taken.values()]),
        *costs.each(len(taken), "notification"),
    ]


async def _steady(house: House, crowd: Crowd, posts: Posts, per_second: float, options: Options) -> list[Figure]:
    requests = posts.take(max(1, round(per_second * options.seconds)))
    pool = Pool(house.api_port, options.connections)
    costs = Costs(house)
    taken = accepted(requests, await pace(pool, requests.values(), per_second))
    await crowd.expect([(n, posts.recipient(n)) for n in taken])
    pool.close()
    arrived = {n: at for person in crowd.people.values() for n, at in person.arrived.items()}
    return [
        *latencies("post → socket at half of it", [arrived[n] - one.at for n, one in taken.items() if n in arrived]),
        *latencies("post → 202 at half of it", [one.answered - one.at for one in taken.values()]),
        *costs.each(len(taken), "notification at half of it"),
    ]
