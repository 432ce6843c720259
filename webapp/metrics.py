"""What the site counts, for Prometheus. A label must never be what a person entered, or name one.

Counting changes memory only. `make serve` gives its processes one folder (PROMETHEUS_MULTIPROC_DIR), which is in memory
too, so that each of them can tell what all have counted. A worker that it did not start has one of its own
(NIGHTLATCH_WORKER_METRICS).
"""

from __future__ import annotations

from types import TracebackType

from prometheus_client import Counter, Gauge, Histogram

from .domain.refusals import ChallengeExhausted, CodesBlocked, Refusal

LOGINS = Counter(
    "nightlatch_logins",
    "Attempts to log in. After a right password, outcome is second-factor for an account that has one.",
    ["method", "outcome"],
)
STEP_UPS = Counter("nightlatch_step_ups", "Attempts to prove a second factor at step-up.", ["method", "outcome"])
LIMITS = Counter("nightlatch_limits_hit", "Requests that a rate limit refused.", ["limit"])

HASHES_WAITING = Gauge(
    "nightlatch_password_hashes_waiting", "Requests that wait to hash a password.", multiprocess_mode="livesum"
)
HASHES_RUNNING = Gauge(
    "nightlatch_password_hashes_running", "Passwords that are being hashed.", multiprocess_mode="livesum"
)
HASHES_REFUSED = Counter("nightlatch_password_hashes_refused", "Requests that waited too long to hash a password.")

MESSAGES = Counter("nightlatch_messages", "Messages by what became of an attempt to send them.", ["channel", "outcome"])
MESSAGE_DELAY = Histogram(
    "nightlatch_message_delay_seconds",
    "From the change that a message is about until it was sent.",
    ["channel"],
    buckets=(1, 2, 5, 15, 60, 300, 1800),
)

REQUESTS = Histogram(
    "nightlatch_request_duration_seconds",
    "From the first to the last line of the application; without the time in the queues of proxy and web server.",
    ["endpoint", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)

SUCCESS, SECOND_FACTOR = "success", "second-factor"


class Attempt:
    """Counts one attempt at the end of its `with` block: by the refusal that it raised, or by `outcome`.

    Other exceptions are bugs, and are not counted.
    """

    def __init__(self, counter: Counter, method: str) -> None:
        self._counter, self._method, self.outcome = counter, method, SUCCESS

    def __enter__(self) -> Attempt:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: TracebackType | None) -> None:
        if error is None or isinstance(error, Refusal):
            self._counter.labels(self._method, _outcome_of(error) if error else self.outcome).inc()


def _outcome_of(refusal: Refusal) -> str:
    if refusal.status == 503:
        return "unavailable"
    is_limit = refusal.status == 429 or isinstance(refusal, ChallengeExhausted | CodesBlocked)
    return "limited" if is_limit else "refused"
