"""Perennial's loop in plain Python: it knows neither Airflow nor the place it runs in."""
