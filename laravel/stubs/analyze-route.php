<?php

declare(strict_types=1);

// "Analyse again", for routes/api.php: in place of the app's POST /api/schemas/{id}/analyze,
// which calls a service that does not exist. Who may not see a schema gets the answer of
// one that does not exist.

use Illuminate\Http\JsonResponse;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Route;
use Schemacast\Laravel\Facades\Schemacast;

Route::post('/schemas/{id}/analyze', static function (Request $request, string $id): JsonResponse {
    // A landlord, a user without a tenant, may ask for the schemas of all.
    $result = Schemacast::analyze($id, tenant: $request->user()->tenant_id, force: $request->boolean('force'));

    return response()->json($result, match (true) {
        $result->unknown() => 404,
        $result->refused() => 409,
        default => 202,
    });
})->middleware('auth')->where('id', '[1-9][0-9]{0,17}');
