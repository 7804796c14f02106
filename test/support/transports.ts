import type { Transport } from '@connectrpc/connect'
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node'
import { startConnectServer } from '../../src/core/server/connect.ts'
import { startGrpcServer } from '../../src/core/server/grpc.ts'
import type { TestCore } from './core.ts'

/** The core's services over each protocol. */
export type Transports = {
  /** By the protocol's name: gRPC, Connect, gRPC-Web. */
  over: { gRPC: Transport; Connect: Transport; 'gRPC-Web': Transport } & Record<string, Transport | undefined>
  grpcPort: number
  connectPort: number
  close(): Promise<void>
}

/** Starts the servers of a core's services, without TLS, and a client's transport for each protocol. */
export const startTransports = async (test: TestCore): Promise<Transports> => {
  const options = { services: test.core.services, host: '127.0.0.1', port: 0 }
  const grpc = await startGrpcServer(options)
  const connect = await startConnectServer(options)
  const baseUrl = `http://127.0.0.1:${connect.port}`
  return {
    grpcPort: grpc.port,
    connectPort: connect.port,
    over: {
      gRPC: createGrpcTransport({ baseUrl: `http://127.0.0.1:${grpc.port}` }),
      Connect: createConnectTransport({ baseUrl, httpVersion: '1.1' }),
      'gRPC-Web': createGrpcWebTransport({ baseUrl, httpVersion: '1.1' }),
    },
    close: async () => {
      await grpc.close()
      await connect.close()
    },
  }
}
