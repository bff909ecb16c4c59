-- The traces of some hours, one row each: whose they are, of which flow, how many spans they have, when and how long.
WITH
    k -> cityHash64({seed:UInt64}, trace, k) AS hash,
    k -> hash(k) / 18446744073709551616. AS dice,
    dice(1) AS tenant_dice,
    dice(2) AS environment_dice,
    dice(3) AS flow_dice,
    -- Zipf's law, near enough: some users ask a lot
    concat('user-', toString(toUInt32(20000 * pow(dice(4), 3)))) AS user_name
SELECT
    trace,
    sipHash128({seed:UInt64}, trace) AS trace_id,
    arrayFirstIndex(share -> tenant_dice < share, {tenant_shares:Array(Float64)}) AS tenant_number,
    arrayFirstIndex(share -> environment_dice < share, {environment_shares:Array(Float64)}) AS environment_number,
    arrayFirstIndex(share -> flow_dice < share, {flow_shares:Array(Float64)}) AS flow,
    {tenants:Array(String)}[tenant_number] AS tenant,
    {environments:Array(String)}[environment_number] AS environment,
    toUInt8(tenant_number * 10 + environment_number) AS realm,
    {routes:Array(String)}[flow] AS route,
    user_name AS user,
    concat('sess-', lower(hex(cityHash64({seed:UInt64}, user_name, intDiv(trace_start_ns, 7200000000000))))) AS session,
    toInt64(hour.1 + hash(5) % hour.2) AS trace_start_ns,
    multiIf(
        trace % {giant_every:UInt64} = 77, 10000,
        hash(6) % 2000 = 0, 200,
        hash(6) % 9 = 0, 1,
        flow = {agent_flow:UInt8}, 8 + hash(7) % 23,
        least(30, 2 + toUInt32(-4.4 * log(1 - dice(7))))) AS span_count,
    toUInt32(greatest(1, ceil((span_count - 1) / 4))) AS stages,
    -- lognormal, at most half an hour
    toInt64(1e6 * least(1800000.,
        {medians_ms:Array(Float64)}[flow] * pow(span_count / 6, 0.6)
        * exp(0.75 * sqrt(-2 * log(dice(8))) * cos(2 * pi() * dice(9))))) + 1000 AS trace_ns,
    -- one stretch of 20 minutes in 20 is bad for a kind of request
    dice(10) < if(cityHash64({seed:UInt64}, tenant_number, flow, intDiv(trace_start_ns, 1200000000000)) % 20 = 0, 0.65, 0.08) AS trace_failed,
    hash(11) % stages AS failed_stage,
    least({generations:UInt8} - 1, intDiv(greatest(trace_start_ns - {month_begin_ns:Int64}, 0) * {generations:UInt8}, {month_ns:Int64})) AS generation
FROM
(
    SELECT hour, hour.3 + number AS trace
    FROM (SELECT arrayJoin({hours:Array(Tuple(Int64, UInt64, UInt64, UInt64))}) AS hour)
    ARRAY JOIN range(hour.4) AS number
)
