<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Tests;

use Illuminate\Auth\GenericUser;
use Illuminate\Http\Request;
use Symfony\Component\HttpFoundation\Response;

/**
 * The example route, as an app would have it.
 */
final class StubsTest extends PackageTestCase
{
    /**
     * @dataProvider calls
     */
    public function testAnalyseAgain(array $row, ?string $tenant, int $code, string $outcome, array $input = []): void
    {
        $id = $this->insert($row);
        $response = $this->post("/schemas/{$id}/analyze", $tenant, $input);
        self::assertSame($code, $response->getStatusCode(), (string) $response->getContent());
        $body = json_decode((string) $response->getContent(), true, 8, JSON_THROW_ON_ERROR);
        self::assertSame(['schema_id', 'outcome', 'reason'], array_keys($body));
        self::assertSame([$id, $outcome], [$body['schema_id'], $body['outcome']]);
        self::assertSame($code !== 202, $body['reason'] !== '');
    }

    public function calls(): array
    {
        $failed = ['ai_analysis_status' => 'failed'];
        return [
            'a failed schema' => [$failed, 't1', 202, 'enqueued'],
            'another tenant\'s' => [$failed, 't2', 404, 'unknown'],
            'as a landlord' => [$failed, null, 202, 'enqueued'],
            'a rejected one' => [['status' => 'rejected'], 't1', 409, 'refused'],
            'a rejected one, by force' => [['status' => 'rejected'], 't1', 202, 'enqueued', ['force' => '1']],
            'an entity' => [['type' => 'struct'], 't1', 409, 'refused', ['force' => '1']],
        ];
    }

    public function testAnIdThatIsNoneIsNotFound(): void
    {
        foreach (['0', '-1', 'x', '99999999999999999999'] as $id) {
            self::assertSame(404, $this->post("/schemas/{$id}/analyze", 't1')->getStatusCode(), $id);
        }
        self::assertSame(404, $this->post('/schemas/999999999999999999/analyze', 't1')->getStatusCode());
    }

    private function post(string $path, ?string $tenant, array $input = []): Response
    {
        $router = $this->app['router'];
        $this->app->instance('middleware.disable', true); // who is logged in is said below
        require __DIR__ . '/../stubs/analyze-route.php';
        $request = Request::create($path, 'POST', $input);
        $this->app->instance('request', $request);
        $request->setUserResolver(static fn () => new GenericUser(['id' => 5, 'tenant_id' => $tenant]));
        try {
            return $router->dispatch($request);
        } catch (\Symfony\Component\HttpKernel\Exception\NotFoundHttpException) {
            return new Response('', 404);
        }
    }
}
