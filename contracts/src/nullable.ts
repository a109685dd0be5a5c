import { type TSchema, Type } from '@sinclair/typebox';

/** A value that may be null: the schema's, or nothing known. */
export const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
