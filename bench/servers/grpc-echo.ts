import { createServer } from 'node:http'
import { create, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import { type handleUnaryCall, Server, ServerCredentials } from '@grpc/grpc-js'
import {
  PaymentService,
  RequestPaymentRequestSchema,
  RequestPaymentResponseSchema,
} from '../../src/gen/mpesa/gateway/v1/payments_pb.js'

// The yardsticks: what each library does at best with the same messages. They read the request and answer; no database, no
// checks, nothing around them.

const answer = { paymentId: 102n, duplicate: false }

const echo: handleUnaryCall<
  MessageShape<typeof RequestPaymentRequestSchema>,
  MessageShape<typeof RequestPaymentResponseSchema>
> = (_call, reply) => reply(null, create(RequestPaymentResponseSchema, answer))

const grpc = new Server()
grpc.addService(
  {
    requestPayment: {
      path: `/${PaymentService.typeName}/RequestPayment`,
      requestStream: false,
      responseStream: false,
      requestSerialize: () => Buffer.alloc(0),
      requestDeserialize: (bytes: Buffer) => fromBinary(RequestPaymentRequestSchema, bytes),
      responseSerialize: (message: MessageShape<typeof RequestPaymentResponseSchema>) =>
        Buffer.from(toBinary(RequestPaymentResponseSchema, message)),
      responseDeserialize: (bytes: Buffer) => fromBinary(RequestPaymentResponseSchema, bytes),
    },
  },
  { requestPayment: echo },
)
const grpcPort = await new Promise<number>((resolve, reject) => {
  grpc.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
    error ? reject(error) : resolve(port),
  )
})

const connect = createServer(
  connectNodeAdapter({
    routes: (router) => router.service(PaymentService, { requestPayment: () => answer }),
  }),
)
connect.listen(0, '127.0.0.1', () => {
  const address = connect.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const ready = { ready: true, grpc: String(grpcPort), connect: String(port) }
  process.stdout.write(`${JSON.stringify(ready)}\n`)
})
