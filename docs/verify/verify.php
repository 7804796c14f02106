<?php
// An endpoint that takes outcomes from the gateway and believes only what is signed. Needs nothing but PHP.
//
//   SIGNING_SECRET=whsec_… php -S 127.0.0.1:8091 verify.php

// Attempts are made and signed anew, so an older signature is a replay.
const TOLERANCE_SECONDS = 5 * 60;

/** True when the gateway signed exactly this body, not long ago. $body: the bytes as they came, before any JSON is parsed. */
function isSigned(string $secret, array $server, string $body): bool
{
    $id = $server['HTTP_WEBHOOK_ID'] ?? '';
    $timestamp = $server['HTTP_WEBHOOK_TIMESTAMP'] ?? '';
    $signatures = $server['HTTP_WEBHOOK_SIGNATURE'] ?? '';
    if ($id === '' || $signatures === '' || !preg_match('/^\d+$/D', $timestamp)) {
        return false;
    }
    if (abs(time() - (int) $timestamp) > TOLERANCE_SECONDS) {
        return false;
    }
    $key = base64_decode(preg_replace('/^whsec_/', '', $secret));
    $expected = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $key, true));
    // While a secret is replaced there are two signatures; one that fits is enough.
    foreach (explode(' ', $signatures) as $signature) {
        if (hash_equals($expected, $signature)) {
            return true;
        }
    }
    return false;
}

$body = file_get_contents('php://input');
if (!isSigned(getenv('SIGNING_SECRET'), $_SERVER, $body)) {
    http_response_code(401);
    echo "not signed by the gateway\n";
    exit;
}
$outcome = json_decode($body, true);
// Store it under its webhook-id here, before the answer: the same one can come again.
error_log(sprintf('transaction %s is %s', $outcome['transaction_id'] ?? '?', $outcome['status'] ?? '?'));
echo "thanks\n";
