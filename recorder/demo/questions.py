"""The three questions of an incident, in SQL: what failed, how many payments, who is affected."""

WHAT_FAILED = """
SELECT header(headers, 'error.exception') AS failed, count(*) AS records,
       strftime(min("timestamp"), '%H:%M:%S') AS first, strftime(max("timestamp"), '%H:%M:%S') AS last
FROM "payments.dlq" GROUP BY ALL ORDER BY records DESC, failed
"""

HOW_MANY = """
SELECT header(headers, 'release') AS release, count(*) AS completed, count(*) - count(DISTINCT key) AS credited_twice,
       round(median((value_json->>'$.latency_ms')::double)) AS median_latency_ms
FROM "payments.complete" GROUP BY ALL ORDER BY release
"""

WHO_IS_AFFECTED = """
SELECT value_json->>'$.payee.name' AS payee, value_json->>'$.payee.account_id' AS account,
       count(*) AS credits_too_many, sum((value_json->>'$.amount_cents')::bigint) / 100 AS too_much_eur
FROM (SELECT *, row_number() OVER (PARTITION BY key ORDER BY "offset") AS credit FROM "payments.complete")
WHERE credit > 1 GROUP BY ALL ORDER BY too_much_eur DESC, account LIMIT 5
"""
