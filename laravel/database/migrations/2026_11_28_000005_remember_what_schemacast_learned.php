<?php

declare(strict_types=1);

use Schemacast\Laravel\Database\Migration;

return new class () extends Migration {
    protected function file(): string
    {
        return '00005_learned.sql';
    }
};
