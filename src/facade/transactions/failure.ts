import { z } from 'zod'
import type { PaymentFailure } from '../../gen/mpesa/gateway/v1/payments_pb.js'
import { FAILURE_REASON_NAMES, toFailureReasonName } from '../../values/failure-reason.ts'

const sentence = (language: string, example: string) =>
  z.string().meta({ description: `For the payer, in ${language}.`, examples: [example] })

/** Why a payment failed, as partners see it. */
export const failureSchema = z
  .strictObject({
    reason: z.string().meta({
      description: `A name for your program to decide by, which never gets another meaning. Today's are ${FAILURE_REASON_NAMES.join(', ')}; treat one that you do not know as unknown.`,
      examples: ['insufficient_funds'],
    }),
    worth_retrying: z.boolean().meta({
      description:
        'Whether the same request to the same payer may go through, once the payer has done what the message says.',
      examples: [true],
    }),
    message: z
      .strictObject({
        en: sentence(
          'English',
          'There is not enough money in your M-PESA account. Add money, then try again.',
        ),
        sw: sentence(
          'Swahili',
          'Hakuna pesa za kutosha kwenye akaunti yako ya M-PESA. Ongeza pesa, kisha ujaribu tena.',
        ),
      })
      .meta({ description: 'A sentence for the payer.' }),
  })
  .meta({ id: 'Failure', description: 'Why a payment failed.' })

/** What the core says of a failure, by the names of this wire. */
export const toFailure = ({
  reason,
  worthRetrying,
  message,
}: PaymentFailure): z.output<typeof failureSchema> => ({
  reason: toFailureReasonName(reason),
  worth_retrying: worthRetrying,
  message: { en: message?.en ?? '', sw: message?.sw ?? '' },
})
