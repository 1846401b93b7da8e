/** What helps people: the doctor, the docs as they are typed, and what messages say to do next. */
import { describe } from 'vitest';
import './server-and-agent.ts';

describe('doctor', async () => void (await import('./doctor/doctor.ts')));
describe('docs', async () => void (await import('./docs/docs.ts')));
describe('next-steps', async () => void (await import('./next-steps/next-steps.ts')));
