-- One callback after the other, each under the next token of the file BENCH_TOKENS; prints one line of JSON at the end.
local headers = { ["Content-Type"] = "application/json;charset=UTF-8", ["Businessshortcode"] = "174379" }
local body =
  '{"Body":{"stkCallback":{"MerchantRequestID":"2654-4b64-97ff-b827b542881d3130","CheckoutRequestID":"ws_CO_04052026210410237712345678","ResultCode":0,"ResultDesc":"The service request is processed successfully.","CallbackMetadata":{"Item":[{"Name":"Amount","Value":150},{"Name":"MpesaReceiptNumber","Value":"UEMARK"},{"Name":"TransactionDate","Value":20260504210428},{"Name":"PhoneNumber","Value":254712345678}]}}}}'
local tokens = {}
for token in io.lines(os.getenv("BENCH_TOKENS")) do
  tokens[#tokens + 1] = token
end
local count = 0

request = function()
  count = count % #tokens + 1
  -- Each payment has a receipt of its own: it ends with the last digits of its id, which its token begins with.
  local own = body:gsub("MARK", tokens[count]:sub(9, 16):upper())
  return wrk.format("POST", "/callbacks/stk/" .. tokens[count], headers, own)
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
