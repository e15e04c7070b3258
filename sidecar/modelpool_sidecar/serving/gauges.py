"""What the gauges show: values that exist anyway, read when somebody looks at the metrics."""

from ..discovery.directory import Directory
from ..routing.in_flight import InFlight
from ..telemetry import metrics


class Gauges:
    """Reads them from the live state. One per gateway."""

    def __init__(self, directory: Directory, in_flight: InFlight) -> None:
        self._directory = directory
        self._in_flight = in_flight

    def now(self) -> metrics.Levels:
        """The gauges at this moment."""
        table, in_flight = self._directory.table, self._in_flight
        lines = {(str(model.pool.ref), backend.engine): 0.0 for model in table.models for backend in model.backends}
        for key, queue in in_flight.queues.items():
            engine = next((one.engine for model in table.models for one in model.backends if one.key == key), "gone")
            labels = (str(key.pool), engine)
            lines[labels] = lines.get(labels, 0.0) + len(queue)
        held = in_flight.by_model()
        running: dict[tuple[str, ...], float] = {}
        ready: dict[tuple[str, ...], float] = {}
        for model in table.models:
            for backend in model.backends:
                labels3 = (str(model.pool.ref), model.name, backend.engine)
                running[labels3] = held[backend.key, backend.model]
                ready[labels3] = sum(endpoint.ready for endpoint in backend.endpoints)
        return metrics.Levels(
            queue_depth=[metrics.Level(labels, value) for labels, value in lines.items()],
            in_flight=[metrics.Level(labels, value) for labels, value in running.items()],
            endpoints=[metrics.Level(labels, value) for labels, value in ready.items()],
        )
