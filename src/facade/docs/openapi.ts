import { createDocument, type ZodOpenApiPathsObject } from 'zod-openapi'
import { simplify } from './json-schema.ts'
import { describeOutcome } from './openapi-outcome.ts'

export const API_TITLE = 'M-PESA Gateway API'

/**
 * The description of everything that partners call and receive, as OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.1).
 * `paths` is what the routes say of themselves.
 */
export const describeApi = (options: {
  paths: ZodOpenApiPathsObject
  /** Where the gateway is reached from outside, without a slash at the end. */
  publicUrl: string
  /** The pause before each attempt to deliver an outcome, ms. */
  deliveryScheduleMs: readonly number[]
}) =>
  createDocument(
    {
      openapi: '3.1.1',
      info: {
        title: API_TITLE,
        version: '1.0.0',
        description:
          'Ask a payer for a payment with one call; the payer gets a prompt on the phone, and the gateway POSTs the outcome to your `callback_url`. Call it from your servers only and keep the API key there.',
        license: { name: 'Proprietary', identifier: 'LicenseRef-Proprietary' },
      },
      servers: [{ url: options.publicUrl, description: 'The gateway' }],
      externalDocs: { description: 'The guide', url: `${options.publicUrl}/docs/guide` },
      tags: [
        { name: 'Payments', description: 'What you call.' },
        { name: 'Outcomes', description: 'What calls you.' },
      ],
      paths: options.paths,
      webhooks: { outcome: describeOutcome(options.deliveryScheduleMs) },
      components: {
        securitySchemes: {
          ApiKey: {
            type: 'apiKey',
            in: 'header',
            name: 'X-API-KEY',
            description: 'Your partner API key. Keep it on your servers.',
          },
        },
      },
    },
    { override: simplify },
  )
