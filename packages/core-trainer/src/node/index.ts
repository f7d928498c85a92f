export { directoryStore } from './directory-store.ts';
export { jsonlFile, tensorBoardFolder } from './logs.ts';
export { type ProgressBarOptions, progressBar } from './progress-bar.ts';
export { type ChartOptions, lineChart, type TerminalChartOptions, terminalChart } from './terminal-chart.ts';
