export { type CalibratePlansOptions, calibratePlans } from './calibrate.ts';
export { type Lesson, layerwiseLoss, lessonOf, type OpenLesson } from './layerwise.ts';
export { findPlan, PlanNeeded, type PlanRequest, type Plans, withPlans } from './plans.ts';
export { makePlans, type PlannedRun, type PlanOptions, runPlanned } from './run-planned.ts';
export { type SolveBudgetOptions, type Solved, solveBudget } from './solve-budget.ts';
