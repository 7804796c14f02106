import {
  addressList,
  consoleUrl,
  flag,
  host,
  origins,
  port,
  publicUrl,
  text,
  wholeNumber,
} from '../setting-parsers.ts'
import type { Setting } from './setting.ts'

/** What listens where, who may come in, and how long it may take. */
export const LISTENER_SETTINGS = {
  HTTP_HOST: {
    parse: host,
    default: '127.0.0.1',
    help: 'where the REST API and the callbacks from Daraja listen',
  },
  HTTP_PORT: { parse: port, default: '8080', help: 'its port; 0 takes a free one' },
  HTTP_MAX_CONNECTIONS: {
    parse: wholeNumber(1, 100_000),
    default: '5000',
    help: 'connections that `HTTP_PORT` keeps open at most, and `GRPC_PORT` and `CONNECT_PORT` likewise',
  },
  HTTP_MAX_CONNECTIONS_PER_ADDRESS: {
    parse: wholeNumber(1, 100_000),
    default: '256',
    help: 'of these, from one address; `TRUSTED_PROXIES` may have any number',
  },
  HTTP_HEADERS_TIMEOUT_MS: {
    parse: wholeNumber(100, 600_000),
    default: '10000',
    help: 'how long the headers of a request may take to arrive, ms; for gRPC the preface of a connection. Never more than `HTTP_REQUEST_TIMEOUT_MS`',
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
  CONNECT_ALLOWED_ORIGINS: {
    parse: origins,
    default: null,
    help: 'origins of pages whose scripts may call `CONNECT_PORT` from a browser, separated by commas; none without',
  },
  GRPC_REFLECTION: {
    parse: flag,
    default: 'off',
    help: 'lets gRPC and Connect describe themselves to callers (`grpc.reflection.v1`); `npm start` sets it',
  },
  OPS_HOST: {
    parse: host,
    default: '127.0.0.1',
    help: 'where `/healthz`, `/readyz` and `/metrics` listen; keep it private',
  },
  OPS_PORT: {
    parse: port,
    default: null,
    help: 'its port: 8081 for `serve`, 8082 for `dispatch`, 8084 for `console` when not set',
  },
  CONSOLE_HOST: {
    parse: host,
    default: '127.0.0.1',
    help: 'where the operators’ console listens; keep it private',
  },
  CONSOLE_PORT: { parse: port, default: '8083', help: 'its port; 0 takes a free one' },
  CONSOLE_URL: {
    parse: consoleUrl,
    default: null,
    help: 'the address by which operators’ browsers reach it, https, without a path; that of this machine without',
  },
  PUBLIC_URL: {
    parse: publicUrl,
    help: 'the address at which Daraja reaches `HTTP_PORT`, https in production',
  },
  TRUSTED_PROXIES: {
    parse: addressList,
    default: null,
    help: 'addresses or CIDR ranges of your load balancers: their `X-Forwarded-For` is believed',
  },
} as const satisfies Record<string, Setting<unknown>>
