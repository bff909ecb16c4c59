"""The steps of the queue, each one Lua script, so that it happens whole or not at all."""

# What OFFER answers for a request that it does not store; 1 is stored.
TAKEN_BEFORE, FULL, TOO_FAST = 0, -1, -2

NOW = """
local function now_ms()
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
end
"""

SEAL = (
    NOW
    + """
local function seal(prefix, receiver, batch, grace_ms)
    local about = prefix .. 'open:' .. receiver .. ':about'
    batch = redis.call('HGET', about, 'batch') or batch
    redis.call('RENAME', prefix .. 'open:' .. receiver, prefix .. 'batch:' .. batch)
    redis.call('RENAME', about, prefix .. 'batch:' .. batch .. ':about')
    redis.call('ZREM', prefix .. 'open', receiver)
    redis.call('ZADD', prefix .. 'sealed', now_ms() + grace_ms, batch)
    redis.call('ZADD', prefix .. 'sealed_at', now_ms(), batch)
    return batch
end
"""
)

# Of each offer: remember the request and append it, then seal the batch if it has its size. The batch is named by the
# first offer in it, and knows the ids of its first requests. Answers, for each, {outcome, its batch or '', 1 if that is
# sealed now, milliseconds to wait}. A key's rate is kept as the time up to which what it sent fills it ("virtual
# scheduling").
OFFER = (
    SEAL
    + """
local prefix, receiver = ARGV[1], ARGV[2]
local queue_max_bytes = tonumber(ARGV[3])
local batch_max_spans, batch_max_bytes, batch_max_values = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local seen_seconds, grace_ms, burst_ms, most_ids = ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local open, about = prefix .. 'open:' .. receiver, prefix .. 'open:' .. receiver .. ':about'

local function wait_ms(key_id, spans, spans_per_second)
    local now = now_ms()
    local filled_until_ms = math.max(now, tonumber(redis.call('GET', prefix .. 'rate:' .. key_id) or '0'))
    if filled_until_ms - now > burst_ms then
        return math.ceil(filled_until_ms - now - burst_ms)
    end
    filled_until_ms = filled_until_ms + spans * 1000 / spans_per_second
    redis.call('SET', prefix .. 'rate:' .. key_id, string.format('%.3f', filled_until_ms),
        'PX', math.ceil(filled_until_ms - now) + 1)
    return 0
end

local function offer(batch, digest, frame, spans, raw_bytes, values, key_id, spans_per_second, request_id)
    if redis.call('EXISTS', prefix .. 'seen:' .. digest) == 1 then
        return {0, '', 0, 0}
    end
    if tonumber(redis.call('GET', prefix .. 'queued_bytes') or '0') + #frame > queue_max_bytes then
        return {-1, '', 0, 0}
    end
    if spans_per_second > 0 then
        local wait = wait_ms(key_id, spans, spans_per_second)
        if wait > 0 then
            return {-2, '', 0, wait}
        end
    end
    if redis.call('APPEND', open, frame) == #frame then
        redis.call('ZADD', prefix .. 'open', now_ms(), receiver)
        redis.call('HSET', about, 'batch', batch)
    else
        batch = redis.call('HGET', about, 'batch')
    end
    local size_bytes = #frame
    if redis.call('HINCRBY', about, 'requests', 1) <= most_ids and request_id ~= '' then
        local ids = redis.call('HGET', about, 'request_ids') or ''
        redis.call('HSET', about, 'request_ids', ids .. request_id .. ' ')
        size_bytes = size_bytes + #request_id + 1
    end
    redis.call('SET', prefix .. 'seen:' .. digest, '1', 'EX', seen_seconds)
    redis.call('INCRBY', prefix .. 'queued_bytes', size_bytes)
    local spans_now = redis.call('HINCRBY', about, 'spans', spans)
    local bytes_now = redis.call('HINCRBY', about, 'raw_bytes', raw_bytes)
    local values_now = redis.call('HINCRBY', about, 'values', values)
    if spans_now >= batch_max_spans or bytes_now >= batch_max_bytes or values_now >= batch_max_values then
        seal(prefix, receiver, batch, grace_ms)
        return {1, batch, 1, 0}
    end
    return {1, batch, 0, 0}
end

local outcomes = {}
for at = 11, #ARGV, 9 do
    outcomes[#outcomes + 1] = offer(
        ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5]),
        ARGV[at + 6], tonumber(ARGV[at + 7]), ARGV[at + 8])
end
return outcomes
"""
)

# Seal a receiver's open batch if it is old enough, under a given name where it has none of its own, as those of a
# receiver of an earlier version. Answers its name, or '' where there was none to seal.
SEAL_AGED = (
    SEAL
    + """
local prefix, receiver, batch, min_age_ms, grace_ms = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local opened_ms = redis.call('ZSCORE', prefix .. 'open', receiver)
if not opened_ms or now_ms() - opened_ms < min_age_ms then
    return ''
end
return seal(prefix, receiver, batch, grace_ms)
"""
)

# Take a sealed batch for a time. Answers its bytes, or nothing when it is gone or somebody else has it.
CLAIM = (
    NOW
    + """
local prefix, batch, lease_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])
local about = prefix .. 'batch:' .. batch .. ':about'
local leased_until_ms = tonumber(redis.call('HGET', about, 'leased_until_ms') or '0')
if not redis.call('ZSCORE', prefix .. 'sealed', batch) or leased_until_ms > now_ms() then
    return false
end
redis.call('HSET', about, 'leased_until_ms', now_ms() + lease_ms)
redis.call('HINCRBY', about, 'attempts', 1)
redis.call('ZADD', prefix .. 'sealed', now_ms() + lease_ms, batch)
return redis.call('GET', prefix .. 'batch:' .. batch)
"""
)

# Give a batch back: somebody will come for it after a while, the rescue only later still.
RELEASE = (
    NOW
    + """
local prefix, batch, delay_ms, grace_ms = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
redis.call('HDEL', prefix .. 'batch:' .. batch .. ':about', 'leased_until_ms')
redis.call('ZADD', prefix .. 'sealed', 'XX', now_ms() + delay_ms + grace_ms, batch)
return 1
"""
)

# Forget a batch that is written, unless a part of it (ingest.holds) is not yet. Answers 1 for whoever did it first.
DISCARD = """
local prefix, batch = ARGV[1], ARGV[2]
if redis.call('EXISTS', prefix .. 'batch:' .. batch .. ':letters') == 1
    or redis.call('ZREM', prefix .. 'sealed', batch) == 0 then
    return 0
end
redis.call('DECRBY', prefix .. 'queued_bytes', redis.call('STRLEN', prefix .. 'batch:' .. batch)
    + redis.call('HSTRLEN', prefix .. 'batch:' .. batch .. ':about', 'request_ids'))
redis.call('ZREM', prefix .. 'sealed_at', batch)
redis.call('DEL', prefix .. 'batch:' .. batch, prefix .. 'batch:' .. batch .. ':about')
return 1
"""

# Hand out the sealed batches that nobody is at work on. Answers their ids.
RESCUE = (
    NOW
    + """
local prefix, most, grace_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])
local batches = redis.call('ZRANGEBYSCORE', prefix .. 'sealed', '-inf', now_ms(), 'LIMIT', 0, most)
for _, batch in ipairs(batches) do
    redis.call('ZADD', prefix .. 'sealed', now_ms() + grace_ms, batch)
end
return batches
"""
)

# Look at what waits the longest. Answers the fields of ingest.queue.QueueWaits.
WAITS = (
    NOW
    + """
local prefix = ARGV[1]
local function waits_ms(batches)
    local oldest = redis.call('ZRANGE', prefix .. batches, 0, 0, 'WITHSCORES')
    return oldest[2] and math.max(0, now_ms() - oldest[2]) or 0
end
return {waits_ms('sealed_at'), waits_ms('open')}
"""
)
