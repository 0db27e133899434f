<?php

declare(strict_types=1);

use App\Http\Controllers\DashboardController;
use App\Http\Controllers\SchemaController;
use Illuminate\Support\Facades\Route;

// The ingestion service calls these, from the inner network.
Route::post('/schemas', [SchemaController::class, 'create']);
Route::post('/schemas/batch', [SchemaController::class, 'batch']);

Route::middleware('auth')->group(static function (): void {
    Route::post('/schemas/{id}/analyze', [SchemaController::class, 'analyze'])->whereNumber('id');
    Route::get('/schemas/{id}/ai-recommendations', [SchemaController::class, 'recommendations'])->whereNumber('id');
    Route::get('/dashboard', [DashboardController::class, 'index']);
});
