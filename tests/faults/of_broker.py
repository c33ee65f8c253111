"""The broker is killed, freezes, is full, or closes connections."""

from collections.abc import Iterator

from tests.faults.house import House
from tests.faults.load import Crowd
from tests.faults.registry import fault
from workers.queues import DELIVER, make_celery

COPIES = 5


@fault(short=0.5, full=2)
def listeners_cut_off_by_the_broker(house: House, crowd: Crowd) -> Iterator[None]:
    """Only the listeners hold exclusive queues of this name."""
    house.rabbitmq.evaluate(
        '[rabbit_networking:close_connection(amqqueue:get_exclusive_owner(Queue), "a fault")'
        " || Queue <- rabbit_amqqueue:list(), is_pid(amqqueue:get_exclusive_owner(Queue)),"
        ' {resource, _, queue, <<"belfry.push.", _/binary>>} <- [amqqueue:get_name(Queue)]]'
    )
    yield


@fault(short=0.5, full=2)
def all_cut_off_by_the_broker(house: House, crowd: Crowd) -> Iterator[None]:
    house.rabbitmq.evaluate('rabbit_networking:close_all_connections("a fault")')
    yield


@fault(short=0, full=3)
def broker_restarted(house: House, crowd: Crowd) -> Iterator[None]:
    house.rabbitmq.stop()
    house.rabbitmq.start()
    yield


@fault(short=0.5, full=10)
def broker_killed(house: House, crowd: Crowd) -> Iterator[None]:
    house.rabbitmq.kill()
    yield
    house.rabbitmq.start()


@fault(short=5, full=60)
def broker_frozen(house: House, crowd: Crowd) -> Iterator[None]:
    house.rabbitmq.pause()
    yield
    house.rabbitmq.resume()


@fault(short=4, full=20)
def broker_out_of_memory(house: House, crowd: Crowd) -> Iterator[None]:
    house.rabbitmq.evaluate("vm_memory_monitor:set_vm_memory_high_watermark(0.0)")
    yield
    house.rabbitmq.evaluate('vm_memory_monitor:set_vm_memory_high_watermark({absolute, "512MiB"})')


@fault(short=0.5, full=3)
def two_workers_with_the_same_messages(house: House, crowd: Crowd) -> Iterator[None]:
    with house.another("worker-2") as second:
        workers = house["worker"], second
        for worker in workers:
            worker.pause()
        yield
        waiting = house.query("SELECT id FROM notifications WHERE delivered_at IS NULL")
        celery = make_celery(house.rabbitmq.url)
        for _ in range(COPIES):
            celery.send_task(DELIVER, args=[[str(id_) for (id_,) in waiting]])
        for worker in workers:
            worker.resume()
