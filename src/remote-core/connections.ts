import { isIP } from 'node:net'
import { checkServerIdentity } from 'node:tls'
import { ChannelCredentials, type ChannelOptions, Client, connectivityState } from '@grpc/grpc-js'

/** What the way to a core is encrypted with; PEM. */
export type CoreTls = {
  /** Who signed the core's certificate; null: an authority that this machine trusts. */
  ca: Buffer | null
  /** What is shown to a core that asks for a certificate; null: nothing. */
  own: { cert: Buffer; key: Buffer } | null
}

/** Connections to one core or several replicas of it. */
export type CoreConnections = {
  /** The next in turn; one that cannot be reached only when none can. */
  pick: () => Client
  close(): void
}

const OPTIONS: ChannelOptions = {
  // A name that leads to several addresses is several replicas: each has its share.
  'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
  'grpc.service_config_disable_resolution': 1,
  // A core that restarts is found again within two seconds.
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2_000,
  // A way that died without a word is noticed within half a minute.
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.keepalive_permit_without_calls': 1,
}

/** Connects to the cores at `urls` when they are first called, and again, with growing pauses, whenever they were away. */
export const openCoreConnections = (options: { urls: readonly URL[]; tls: CoreTls }): CoreConnections => {
  const clients = options.urls.map(
    (url) => new Client(targetOf(url), credentialsFor(url, options.tls), optionsFor(url)),
  )
  let turn = 0
  return {
    pick: () => {
      turn = (turn + 1) % clients.length
      const inTurn = [...clients.slice(turn), ...clients.slice(0, turn)]
      const [first] = inTurn
      if (first === undefined) throw new Error('there must be a core')
      return inTurn.find(isUsable) ?? first
    },
    close: () => {
      for (const client of clients) client.close()
    },
  }
}

const isUsable = (client: Client): boolean =>
  client.getChannel().getConnectivityState(false) !== connectivityState.TRANSIENT_FAILURE

const targetOf = ({ protocol, hostname, port }: URL): string =>
  `dns:///${hostname}:${port || (protocol === 'https:' ? '443' : '80')}`

/**
 * What a TLS handshake names instead of an IP address, which it may not: Node refuses one that `grpc-js` would name.
 */
const NO_NAME = 'core.invalid'

const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[|\]$/g, '')

const optionsFor = (url: URL): ChannelOptions =>
  isIP(hostOf(url)) === 0 ? OPTIONS : { ...OPTIONS, 'grpc.ssl_target_name_override': NO_NAME }

/** The certificate must be that of the host in the URL, a name or an IP address. */
const credentialsFor = (url: URL, { ca, own }: CoreTls): ChannelCredentials =>
  url.protocol === 'https:'
    ? ChannelCredentials.createSsl(ca, own?.key ?? null, own?.cert ?? null, {
        checkServerIdentity: (_name, certificate) => checkServerIdentity(hostOf(url), certificate),
      })
    : ChannelCredentials.createInsecure()
