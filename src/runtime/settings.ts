import { z } from 'zod'
import {
  addressList,
  flag,
  host,
  milliseconds,
  nameServers,
  port,
  probabilities,
  publicUrl,
  schedule,
  secretKey,
  text,
  url,
  wholeNumber,
} from './setting-parsers.ts'

/** One setting of the environment: how its text is read, what stands for its absence, and what to tell a person. */
export type Setting<Value> = {
  /** Reads the text; a refusal's message ends the sentence that starts with the variable's name. */
  parse: z.ZodType<Value, string>
  /** The text that stands for an absent variable; `null`: the setting is then null; none: the variable is required. */
  default?: string | null
  /** For the README's table: what it is for, with units. */
  help: string
  /** True for a value that must never be printed. */
  secret?: boolean
}

/** Every setting, in the order of the README's table. */
export const SETTINGS = {
  DATABASE_URL: {
    parse: url(['postgres:', 'postgresql:']),
    help: 'Postgres, `postgres://user:password@host/name`',
    secret: true,
  },
  DATABASE_POOL_SIZE: {
    parse: wholeNumber(2, 200),
    default: '10',
    help: 'connections a process opens at most',
  },
  NATS_URL: {
    parse: url(['nats:', 'tls:']),
    default: null,
    help: 'NATS with JetStream, `nats://host:4222`; without it the dispatcher works from Postgres alone',
    secret: true,
  },
  NATS_STREAM: {
    parse: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be 1 to 64 letters, digits, dashes or underscores'),
    default: 'deliveries',
    help: 'the name of the stream (and of its subject) that tells the dispatchers what is due',
  },
  HTTP_HOST: {
    parse: host,
    default: '127.0.0.1',
    help: 'where the REST API and the callbacks from Daraja listen',
  },
  HTTP_PORT: { parse: port, default: '8080', help: 'its port; 0 takes a free one' },
  HTTP_MAX_CONNECTIONS: {
    parse: wholeNumber(1, 100_000),
    default: '5000',
    help: 'connections that `HTTP_PORT` keeps open at most, and `CONNECT_PORT` likewise',
  },
  HTTP_MAX_CONNECTIONS_PER_ADDRESS: {
    parse: wholeNumber(1, 100_000),
    default: '256',
    help: 'of these, from one address; `TRUSTED_PROXIES` may have any number',
  },
  HTTP_HEADERS_TIMEOUT_MS: {
    parse: wholeNumber(100, 600_000),
    default: '10000',
    help: 'how long the headers of a request may take to arrive, ms',
  },
  HTTP_REQUEST_TIMEOUT_MS: {
    parse: wholeNumber(100, 600_000),
    default: '30000',
    help: 'how long a whole request may take to arrive, and its answer to be read, ms',
  },
  HTTP_KEEP_ALIVE_MS: {
    parse: wholeNumber(1000, 3_600_000),
    default: '72000',
    help: 'how long a connection stays open between requests, ms: longer than your load balancer keeps it',
  },
  GRPC_HOST: { parse: host, default: '127.0.0.1', help: 'where native gRPC and Connect listen' },
  GRPC_PORT: { parse: port, default: '9090', help: 'native gRPC' },
  CONNECT_PORT: { parse: port, default: '9080', help: 'Connect and gRPC-Web' },
  GRPC_TLS_CERT: {
    parse: text,
    default: null,
    help: 'a PEM file with the certificate that gRPC and Connect show; they speak plaintext without',
  },
  GRPC_TLS_KEY: { parse: text, default: null, help: 'a PEM file with its key' },
  GRPC_TLS_CLIENT_CA: {
    parse: text,
    default: null,
    help: 'a PEM file with who must have signed the certificates of callers; without it they need none',
  },
  GRPC_ALLOW_PLAINTEXT: {
    parse: flag,
    default: 'off',
    help: 'lets gRPC and Connect speak plaintext beyond this machine, where something else encrypts the way',
  },
  OPS_HOST: {
    parse: host,
    default: '127.0.0.1',
    help: 'where `/healthz`, `/readyz` and `/metrics` listen; keep it private',
  },
  OPS_PORT: {
    parse: port,
    default: null,
    help: 'its port: 8081 for `serve`, 8082 for `dispatch` when not set',
  },
  PUBLIC_URL: {
    parse: publicUrl,
    help: 'the address at which Daraja reaches `HTTP_PORT`, https in production',
  },
  SPOOL_DIR: {
    parse: text,
    default: './spool',
    help: 'a folder on a local disk that survives the process: where callbacks are durable while Postgres is away',
  },
  CALLBACK_SOURCES_MODE: {
    parse: z.enum(['off', 'log', 'enforce'], 'must be off, log or enforce'),
    default: 'off',
    help: 'callbacks from other addresses than `CALLBACK_SOURCES` are taken (`off`), told of in the log (`log`) or refused (`enforce`)',
  },
  CALLBACK_SOURCES: {
    parse: addressList,
    default:
      '196.201.214.200,196.201.214.206,196.201.214.207,196.201.214.208,196.201.213.114,196.201.213.44,' +
      '196.201.212.127,196.201.212.138,196.201.212.129,196.201.212.136,196.201.212.74,196.201.212.69',
    help: 'the addresses that Daraja calls back from, also as CIDR ranges',
  },
  TRUSTED_PROXIES: {
    parse: addressList,
    default: null,
    help: 'addresses or CIDR ranges of your load balancers: their `X-Forwarded-For` is believed',
  },
  DARAJA_BASE_URL: {
    parse: url(['http:', 'https:']).transform((value) => value.replace(/\/+$/, '')),
    help: '`https://api.safaricom.co.ke`, `https://sandbox.safaricom.co.ke` or the simulator',
  },
  DARAJA_CONSUMER_KEY: { parse: text, help: 'the app’s key on the Daraja portal', secret: true },
  DARAJA_CONSUMER_SECRET: { parse: text, help: 'the app’s secret', secret: true },
  DARAJA_SHORTCODE: {
    parse: z.string().regex(/^\d{5,8}$/, 'must be 5 to 8 digits'),
    help: 'the paybill; for a till the head-office number',
  },
  DARAJA_PASSKEY: { parse: text, help: 'the passkey of the shortcode', secret: true },
  DARAJA_TRANSACTION_TYPE: {
    parse: z.enum(
      ['CustomerPayBillOnline', 'CustomerBuyGoodsOnline'],
      'must be CustomerPayBillOnline or CustomerBuyGoodsOnline',
    ),
    default: 'CustomerPayBillOnline',
    help: '`CustomerPayBillOnline`, or `CustomerBuyGoodsOnline` for a till',
  },
  DARAJA_PARTY_B: {
    parse: z.string().regex(/^\d{5,8}$/, 'must be 5 to 8 digits'),
    default: null,
    help: 'the till number; the shortcode when not set',
  },
  DARAJA_TIMEOUT_MS: {
    parse: wholeNumber(1000, 60_000),
    default: '30000',
    help: 'how long one call to Daraja may take, ms',
  },
  SECRET_KEY: {
    parse: secretKey,
    help: '32 bytes in hexadecimal, the same for all processes; the keys of callback tokens and of secrets at rest are derived from it',
    secret: true,
  },
  SECRET_KEY_PREVIOUS: {
    parse: secretKey,
    default: null,
    help: 'another key that still counts, while it is being replaced: see docs/operations.md',
    secret: true,
  },
  WRONG_KEYS_PER_MINUTE: {
    parse: wholeNumber(1, 1_000_000),
    default: '60',
    help: 'wrong API keys and service tokens that one address may show in a minute, per process, before it is answered 429',
  },
  PARTNER_REQUESTS_PER_SECOND: {
    parse: wholeNumber(1, 100_000),
    default: null,
    help: 'requests a second of one partner, to all replicas together, unless `partners set --rate` says otherwise; no limit when not set',
  },
  PAYER_OPEN_PROMPTS: {
    parse: wholeNumber(0, 100),
    default: null,
    help: 'payments of one partner that may be open for one phone, else 429; 0: any number. When not set: 1 where `DARAJA_BASE_URL` is Safaricom’s, any number where no phone rings',
  },
  PAYER_PROMPTS_PER_HOUR: {
    parse: wholeNumber(0, 200),
    default: null,
    help: 'payments of one partner for one phone in an hour, else 429; 0: any number. When not set: 10 where `DARAJA_BASE_URL` is Safaricom’s, any number where no phone rings',
  },
  SUBMIT_TTL_MS: {
    parse: milliseconds,
    default: '120000',
    help: 'how old a payment may be and still prompt its payer, ms',
  },
  SUBMIT_CONCURRENCY: {
    parse: wholeNumber(1, 1000),
    default: '32',
    help: 'pushes to Daraja at once, per process',
  },
  DARAJA_PUSHES_PER_SECOND: {
    parse: wholeNumber(1, 10_000),
    default: null,
    help: 'pushes a second at most, by all replicas together: what Safaricom agreed for the shortcode; no limit when not set',
  },
  RECONCILE_AFTER_MS: {
    parse: milliseconds,
    default: '90000',
    help: 'when a prompt without a callback is first asked for, ms',
  },
  DARAJA_QUERIES_PER_SECOND: {
    parse: wholeNumber(1, 10_000),
    default: '20',
    help: 'queries and pulls a second at most, by all replicas together',
  },
  DARAJA_UNIQUE_REFERENCE: {
    parse: flag,
    default: 'off',
    help: 'the payer sees a short code of the payment as the account, instead of the partner’s reference; `DARAJA_PULL` needs it',
  },
  DARAJA_PULL: {
    parse: flag,
    default: 'off',
    help: 'looks in M-PESA’s records for receipts and unconfirmed payments, where the shortcode has Pull Transactions',
  },
  DARAJA_PULL_MSISDN: {
    parse: z.string().regex(/^254[17]\d{8}$/, 'must be 12 digits that start with 2547 or 2541'),
    default: null,
    help: 'the number that was nominated for Pull Transactions',
  },
  OPEN_PAYMENT_ALERT_AFTER_MS: {
    parse: milliseconds,
    default: '900000',
    help: 'from what age an open payment counts as overdue, ms',
  },
  DELIVERY_SCHEDULE: {
    parse: schedule,
    default: '0s,2s,5s,15s,45s,2m,5m,15m,1h,3h,6h,12h,24h,24h',
    help: 'the pause before each attempt to deliver, from the outcome or the attempt before',
  },
  DELIVERY_CONCURRENCY: {
    parse: wholeNumber(1, 5000),
    default: '256',
    help: 'POSTs to partners at once, per process; one partner has at most a quarter of them',
  },
  DELIVERY_ENDPOINT_CONCURRENCY: {
    parse: wholeNumber(1, 5000),
    default: '32',
    help: 'and to one endpoint, a partner and a callback host, at most',
  },
  DELIVERY_NAME_SERVERS: {
    parse: nameServers,
    default: null,
    help: 'the name servers that are asked for partners’ addresses, like `10.0.0.2,10.0.0.3:5353`; the machine’s own when not set',
  },
  ATTEMPT_RETENTION_DAYS: {
    parse: wholeNumber(1, 36_500),
    default: '90',
    help: 'how many days attempts to deliver are kept at least; whole months are forgotten at once',
  },
  CALLBACK_RETENTION_DAYS: {
    parse: wholeNumber(31, 36_500),
    default: '400',
    help: 'the same for callbacks as Daraja sent them; payments are kept',
  },
  SIMULATOR_HOST: { parse: host, default: '127.0.0.1', help: 'where the Daraja simulator listens' },
  SIMULATOR_PORT: { parse: port, default: '8090', help: 'its port' },
  SIMULATOR_CALLBACK_DELAY_MS: {
    parse: wholeNumber(0, 3_600_000),
    default: '1000',
    help: 'how long a simulated payer thinks, ms',
  },
  SIMULATOR_SEED: {
    parse: wholeNumber(0, 4_294_967_295),
    default: null,
    help: 'the number that decides when what `SIMULATOR_MISBEHAVIOURS` names happens; drawn and printed when not set',
  },
  SIMULATOR_MISBEHAVIOURS: {
    parse: probabilities,
    default: null,
    help: 'what the simulator gets wrong beside what phone and amount choose, and how probably: `calls-back-twice=0.1,token-html-503=0.05`; the names are in docs/simulator.md',
  },
  LOG_LEVEL: {
    parse: z.enum(
      ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
      'must be trace, debug, info, warn, error, fatal or silent',
    ),
    default: 'info',
    help: 'the least important log line that is written',
  },
  CALLBACK_ALLOW_HTTP: {
    parse: flag,
    default: 'off',
    help: 'takes http `callback_url`s; for one machine only',
  },
  CALLBACK_ALLOW_PRIVATE_NETWORKS: {
    parse: flag,
    default: 'off',
    help: 'takes `callback_url`s that lead to private addresses; for one machine only',
  },
  DATA_DIR: {
    parse: text,
    default: '.data',
    help: 'where `npm start` keeps its database and finds itself again',
  },
} as const satisfies Record<string, Setting<unknown>>

export type SettingName = keyof typeof SETTINGS
