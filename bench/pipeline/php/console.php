<?php

declare(strict_types=1);

use App\Jobs\AnalyzeSchemaJob;
use Illuminate\Support\Facades\Artisan;

Artisan::command('bench:dispatch {first} {last}', function (string $first, string $last): void {
    foreach (range((int) $first, (int) $last) as $id) {
        AnalyzeSchemaJob::dispatch($id);
    }
})->purpose('Put the jobs of these schemas into the queue');
