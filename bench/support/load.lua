-- One stk_push after the other, each under an idempotency key of its own; prints one line of JSON at the end.
local prefix = os.getenv("BENCH_RUN") or "run"
local headers = { ["Content-Type"] = "application/json", ["X-API-KEY"] = os.getenv("BENCH_API_KEY") or "none" }
local body =
  '{"phone":"254712345678","amount":150,"reference":"INV-2025-001","callback_url":"https://yourapp.example.com/payment_callback"}'
local count = 0

request = function()
  count = count + 1
  headers["X-Idempotency-Key"] = prefix .. "-" .. count
  return wrk.format("POST", "/api/v1/mpesa/stk_push", headers, body)
end

done = function(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%.3f,"p50_ms":%.2f,"p99_ms":%.2f,"failed":%d}\n',
    summary.requests,
    summary.duration / 1000000,
    latency:percentile(50) / 1000,
    latency:percentile(99) / 1000,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout
  ))
end
