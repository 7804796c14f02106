<?php
// A shop in PHP that takes M-PESA: it asks for payments, receives their outcomes, and is safe to repeat. Needs nothing but PHP.
//
//   BASE_URL=… API_KEY=… SIGNING_SECRET=whsec_… CALLBACK_BASE=https://shop.example.com STORE=shop.json php -S 127.0.0.1:8000 shop.php
//   curl -X PUT http://127.0.0.1:8000/orders/17 -d '{"phone":"254712345678","amount":150}'
//   curl http://127.0.0.1:8000/orders/17

// Attempts are made and signed anew, so an older signature is a replay.
const TOLERANCE_SECONDS = 5 * 60;

const ATTEMPTS = 5;
const LONGEST_WAIT_SECONDS = 60;

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

/**
 * Reads the store, lets $change change it, and writes it whole, while nobody else does. A file keeps the example small: a shop
 * has a database, and does the same in a transaction.
 */
function changeStore(callable $change): mixed
{
    $path = getenv('STORE') ?: 'shop.json';
    $lock = fopen("$path.lock", 'c');
    flock($lock, LOCK_EX);
    try {
        $store = is_file($path) ? json_decode(file_get_contents($path), true) : ['orders' => [], 'handled' => []];
        $result = $change($store);
        file_put_contents("$path.new", json_encode($store));
        rename("$path.new", $path);
        return $result;
    } finally {
        fclose($lock);
    }
}

/** The transaction_id. Without an answer, and after 429, 500, 502, 503 and 504, the same is asked again: the key makes that safe. */
function requestPayment(array $body, string $idempotencyKey): int
{
    $context = stream_context_create(['http' => [
        'method' => 'POST',
        'header' => [
            'Content-Type: application/json',
            'X-API-KEY: ' . getenv('API_KEY'),
            'X-Idempotency-Key: ' . $idempotencyKey,
        ],
        'content' => json_encode($body),
        'timeout' => 30,
        'ignore_errors' => true,
        'follow_location' => 0,
    ]]);
    for ($attempt = 1; ; $attempt++) {
        $stream = @fopen(getenv('BASE_URL') . '/api/v1/mpesa/stk_push', 'r', false, $context);
        $lines = $stream ? stream_get_meta_data($stream)['wrapper_data'] : [];
        $answer = $stream ? stream_get_contents($stream) : '';
        $status = (int) (explode(' ', $lines[0] ?? '')[1] ?? 0);
        $transaction = json_decode($answer, true)['transaction_id'] ?? null;
        if ($status === 200 && is_int($transaction)) {
            return $transaction;
        }
        $wait = 2 ** ($attempt - 1) / 2;
        foreach (preg_grep('/^retry-after: *\d+$/i', $lines) as $line) {
            $wait = (int) explode(':', $line)[1];
        }
        $mayPass = in_array($status, [0, 200, 429, 500, 502, 503, 504], true);
        if (!$mayPass || $attempt === ATTEMPTS || $wait > LONGEST_WAIT_SECONDS) {
            throw new RuntimeException($status === 0 ? 'no answer' : "HTTP $status: $answer", $status);
        }
        usleep((int) ($wait * 1_000_000 * (1 + mt_rand(0, 250) / 1000)));
    }
}

/** The order and its key are stored before the gateway is asked: whoever asks again, asks for the same payment. */
function order(string $id, array $wanted): array
{
    $isNew = false;
    $stored = changeStore(function (array &$store) use ($id, $wanted, &$isNew): array {
        $isNew = !isset($store['orders'][$id]);
        return $store['orders'][$id] ??= [
            'id' => $id,
            'phone' => $wanted['phone'],
            'amount' => $wanted['amount'],
            'idempotency_key' => bin2hex(random_bytes(16)),
            'transaction_id' => null,
            'status' => 'waiting',
            'handed_out' => 0,
        ];
    });
    $body = [
        'phone' => $stored['phone'],
        'amount' => $stored['amount'],
        'reference' => $id,
        'callback_url' => getenv('CALLBACK_BASE') . '/payment_callback/' . rawurlencode($id),
    ];
    try {
        $transaction = requestPayment($body, $stored['idempotency_key']);
    } catch (RuntimeException $error) {
        if ($error->getCode() === 400 && $isNew) {
            // Nothing is stored of what was asked for the first time: the order may be PUT again, corrected. Of one that was
            // asked for before, the payment may be there.
            changeStore(function (array &$store) use ($id): void {
                unset($store['orders'][$id]);
            });
        }
        throw $error;
    }
    return changeStore(function (array &$store) use ($id, $transaction): array {
        $store['orders'][$id]['transaction_id'] = $transaction;
        return $store['orders'][$id];
    });
}

/**
 * In one change of the store: the outcome is known as handled exactly when the order has it. A success may follow a failure,
 * never the other way round. For a test payment nothing is handed out.
 */
function handle(string $id, string $webhookId, bool $isTest, array $outcome): void
{
    $fits = changeStore(function (array &$store) use ($id, $webhookId, $isTest, $outcome): bool {
        $isNew = !isset($store['handled'][$webhookId]);
        $store['handled'][$webhookId] = true;
        $order = $store['orders'][$id] ?? null;
        $fits = $order !== null && $order['amount'] === $outcome['amount']
            && in_array($order['transaction_id'], [null, $outcome['transaction_id']], true);
        if ($isNew && $fits && $order['status'] !== 'successful') {
            $store['orders'][$id]['status'] = $outcome['status'];
            $store['orders'][$id]['handed_out'] += $outcome['status'] === 'successful' && !$isTest ? 1 : 0;
        }
        return $fits;
    });
    if (!$fits) {
        // It is answered all the same, for it would come again as it is. Somebody must look: money may have been paid.
        error_log("outcome $webhookId fits no order: order $id, transaction {$outcome['transaction_id']}");
    }
}

function answer(int $status, array $body): void
{
    http_response_code($status);
    header('content-type: application/json');
    echo json_encode((object) $body);
}

$parts = array_map('rawurldecode', explode('/', parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH)));
$id = $parts[2] ?? '';
$body = file_get_contents('php://input');
switch ($id === '' ? '' : $_SERVER['REQUEST_METHOD'] . ' ' . $parts[1]) {
    case 'PUT orders':
        try {
            answer(200, order($id, json_decode($body, true)));
        } catch (RuntimeException $error) {
            // But for what was refused the first time, the order stays as it is: PUT it again.
            answer($error->getCode() === 400 ? 400 : 502, ['error' => $error->getMessage()]);
        }
        break;
    case 'GET orders':
        $found = changeStore(fn (array &$store): ?array => $store['orders'][$id] ?? null);
        answer($found === null ? 404 : 200, $found ?? []);
        break;
    case 'POST payment_callback':
        if (!isSigned(getenv('SIGNING_SECRET'), $_SERVER, $body)) {
            answer(401, ['error' => 'not signed by the gateway']);
            break;
        }
        handle($id, $_SERVER['HTTP_WEBHOOK_ID'], isset($_SERVER['HTTP_X_GATEWAY_TEST']), json_decode($body, true));
        answer(200, []);
        break;
    default:
        answer(404, []);
}
