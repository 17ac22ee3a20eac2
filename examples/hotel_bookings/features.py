"""What a hotel knows of a booking while it can still sell the room to somebody else."""

from __future__ import annotations

import ibis
from ibis import _


def build(tables: dict[str, ibis.Table]) -> ibis.Table:
    """Return one row per booking: key, arrival, inputs, and whether it was cancelled.

    Left out, because they are known only once the guests are there, or later: the room that they
    were given, their country (it is asked at check-in), their parking space, and the status.
    """
    rows = tables["events"].mutate(
        nights=_.stays_in_weekend_nights + _.stays_in_week_nights,
        guests=_.adults + _.children.fill_null(0) + _.babies,
    )
    return rows.select(
        "booking", "arrival", "hotel", "lead_time", "nights", "guests", "meal",
        "market_segment", "distribution_channel", "is_repeated_guest",
        "previous_cancellations", "previous_bookings_not_canceled", "reserved_room_type",
        "booking_changes", "deposit_type", "days_in_waiting_list", "customer_type", "adr",
        "total_of_special_requests",
        week=_.arrival_date_week_number,
        value=_.adr * _.nights,
        canceled=_.is_canceled == 1,
    )  # fmt: skip
