<?php
// A content site as Doctrine reads it: articles, authors, categories, comments, media, menus, redirects, statistics.

declare(strict_types=1);

require 'Doctrine/ORM/autoload.php';

use Doctrine\Common\Collections\Criteria;
use Doctrine\DBAL\DriverManager;
use Doctrine\ORM\EntityManager;
use Doctrine\ORM\Mapping as ORM;
use Doctrine\ORM\ORMSetup;
use Doctrine\ORM\Query\Expr\Join;
use Doctrine\ORM\Tools\Pagination\Paginator;
use Doctrine\ORM\Tools\SchemaTool;

$postgres = getenv('ENGINE') === 'postgres';

#[ORM\Entity, ORM\Table(name: 'author')]
class Author
{
    #[ORM\Id, ORM\Column, ORM\GeneratedValue]
    public ?int $id = null;
    #[ORM\Column]
    public string $name;
    #[ORM\Column(unique: true)]
    public string $email;
    #[ORM\Column(type: 'json')]
    public array $roles = [];
    #[ORM\OneToMany(mappedBy: 'author', targetEntity: Article::class)]
    public $articles;
}

#[ORM\Entity, ORM\Table(name: 'category')]
class Category
{
    #[ORM\Id, ORM\Column, ORM\GeneratedValue]
    public ?int $id = null;
    #[ORM\Column]
    public string $title;
    #[ORM\Column]
    public int $lft = 0;
    #[ORM\Column]
    public int $rgt = 0;
    #[ORM\ManyToOne(inversedBy: 'children')]
    public ?Category $parent = null;
    #[ORM\OneToMany(mappedBy: 'parent', targetEntity: Category::class)]
    public $children;
}

#[ORM\Entity, ORM\Table(name: 'tag')]
class Tag
{
    #[ORM\Id, ORM\Column, ORM\GeneratedValue]
    public ?int $id = null;
    #[ORM\Column]
    public string $word;
}

#[ORM\Entity, ORM\Table(name: 'page'), ORM\InheritanceType('SINGLE_TABLE'), ORM\DiscriminatorColumn(name: 'kind', type: 'string'), ORM\DiscriminatorMap(['article' => Article::class, 'landing' => Landing::class])]
abstract class Page
{
    #[ORM\Id, ORM\Column, ORM\GeneratedValue]
    public ?int $id = null;
    #[ORM\Column]
    public string $title;
    #[ORM\Column(unique: true)]
    public string $slug;
    #[ORM\Column]
    public string $status = 'draft';
    #[ORM\Column(type: 'datetime_immutable', nullable: true)]
    public ?DateTimeImmutable $publishedAt = null;
    #[ORM\Column(type: 'datetime_immutable')]
    public DateTimeImmutable $createdAt;
}

#[ORM\Entity]
class Article extends Page
{
    #[ORM\Column(type: 'text', nullable: true)]
    public ?string $body = null;
    #[ORM\Column(nullable: true)]
    public ?int $views = 0;
    #[ORM\ManyToOne(inversedBy: 'articles')]
    public ?Author $author = null;
    #[ORM\ManyToOne]
    public ?Category $category = null;
    #[ORM\ManyToMany(targetEntity: Tag::class)]
    public $tags;
    #[ORM\OneToMany(mappedBy: 'article', targetEntity: Comment::class), ORM\OrderBy(['writtenAt' => 'DESC'])]
    public $comments;
}

#[ORM\Entity]
class Landing extends Page
{
    #[ORM\Column(type: 'json', nullable: true)]
    public ?array $blocks = null;
}

#[ORM\Entity, ORM\Table(name: 'comment')]
class Comment
{
    #[ORM\Id, ORM\Column, ORM\GeneratedValue]
    public ?int $id = null;
    #[ORM\ManyToOne(inversedBy: 'comments')]
    public ?Article $article = null;
    #[ORM\Column]
    public string $nick;
    #[ORM\Column(type: 'text')]
    public string $text;
    #[ORM\Column]
    public bool $approved = false;
    #[ORM\Column(type: 'datetime_immutable')]
    public DateTimeImmutable $writtenAt;
}

#[ORM\Entity, ORM\Table(name: 'visit')]
class Visit
{
    #[ORM\Id, ORM\Column(type: 'bigint'), ORM\GeneratedValue]
    public ?string $id = null;
    #[ORM\ManyToOne]
    public ?Article $article = null;
    #[ORM\Column(type: 'date_immutable')]
    public DateTimeImmutable $day;
    #[ORM\Column(type: 'time_immutable')]
    public DateTimeImmutable $time;
    #[ORM\Column(type: 'decimal', precision: 6, scale: 2)]
    public string $seconds = '0';
}

$url = parse_url(getenv('DATABASE_URL'));
$config = ORMSetup::createAttributeMetadataConfiguration([], true);
$connection = DriverManager::getConnection([
    'driver' => $postgres ? 'pdo_pgsql' : 'pdo_mysql', 'host' => $url['host'], 'port' => $url['port'], 'user' => $url['user'],
    'password' => $url['pass'] ?? '', 'dbname' => ltrim($url['path'], '/'), 'charset' => $postgres ? 'utf8' : 'utf8mb4',
], $config);
$em = new EntityManager($connection, $config);
$classes = [Author::class, Category::class, Tag::class, Page::class, Article::class, Landing::class, Comment::class, Visit::class];
(new SchemaTool($em))->createSchema(array_map($em->getClassMetadata(...), $classes));

$now = new DateTimeImmutable();
$author = new Author();
[$author->name, $author->email, $author->roles] = ['Ada', 'ada@example.test', ['editor']];
$category = new Category();
[$category->title, $category->lft, $category->rgt] = ['News', 1, 2];
$tag = new Tag();
$tag->word = 'php';
$article = new Article();
[$article->title, $article->slug, $article->status, $article->createdAt, $article->publishedAt] = ['Hello', 'hello', 'live', $now, $now];
[$article->body, $article->author, $article->category] = ['A long text', $author, $category];
$article->tags = new Doctrine\Common\Collections\ArrayCollection([$tag]);
$landing = new Landing();
[$landing->title, $landing->slug, $landing->createdAt, $landing->blocks] = ['Start', 'start', $now, ['hero']];
$comment = new Comment();
[$comment->article, $comment->nick, $comment->text, $comment->writtenAt, $comment->approved] = [$article, 'bob', 'Nice', $now, true];
$visit = new Visit();
[$visit->article, $visit->day, $visit->time, $visit->seconds] = [$article, $now, $now, '12.5'];
foreach ([$author, $category, $tag, $article, $landing, $comment, $visit] as $entity) {
    $em->persist($entity);
}
$em->flush();
$connection->executeQuery(getenv('MARK'))->fetchAllAssociative();

$dql = fn (string $text, array $parameters = []) => fn () => $em->createQuery($text)->setParameters($parameters)->getArrayResult();
$top = fn (string $text, int $limit, int $offset = 0, array $parameters = []) => fn () => $em->createQuery($text)->setParameters($parameters)->setMaxResults($limit)->setFirstResult($offset)->getResult();
$native = fn (string $text, array $parameters = []) => fn () => $connection->executeQuery($text, $parameters)->fetchAllAssociative();
$repository = $em->getRepository(...);
$live = "a.status = 'live' AND a.publishedAt <= :now";
$reads = [
    fn () => $repository(Article::class)->find(1),
    fn () => $repository(Article::class)->findOneBy(['slug' => 'hello', 'status' => 'live']),
    fn () => $repository(Article::class)->findBy(['category' => 1], ['publishedAt' => 'DESC'], 10, 20),
    fn () => $repository(Article::class)->count(['author' => 1]),
    fn () => $repository(Page::class)->findOneBy(['slug' => 'start']),
    fn () => $repository(Page::class)->findBy(['status' => ['live', 'draft']]),
    fn () => $repository(Landing::class)->findAll(),
    fn () => $repository(Author::class)->findOneBy(['email' => 'ada@example.test']),
    fn () => $repository(Comment::class)->findBy(['article' => 1, 'approved' => true], ['writtenAt' => 'ASC']),
    fn () => $repository(Article::class)->matching(Criteria::create()->where(Criteria::expr()->gt('views', 10))->orderBy(['views' => 'DESC'])->setMaxResults(5))->toArray(),
    fn () => $repository(Category::class)->find(1)->children->toArray(),
    fn () => $repository(Article::class)->findOneBy(['slug' => 'hello'])->comments->toArray(),
    fn () => $repository(Article::class)->findOneBy(['slug' => 'hello'])->tags->toArray(),
    fn () => $repository(Author::class)->find(1)->articles->matching(Criteria::create()->where(Criteria::expr()->eq('status', 'live')))->toArray(),
    $top("SELECT a, w FROM Article a JOIN a.author w WHERE $live ORDER BY a.publishedAt DESC", 10, 0, ['now' => $now]),
    fn () => iterator_to_array(new Paginator($em->createQuery("SELECT a, t FROM Article a LEFT JOIN a.tags t ORDER BY a.publishedAt DESC")->setMaxResults(10))),
    fn () => count(new Paginator($em->createQuery("SELECT a, t FROM Article a LEFT JOIN a.tags t ORDER BY a.publishedAt DESC")->setMaxResults(10))),
    $dql('SELECT a.id, a.title, COUNT(c.id) AS n FROM Article a LEFT JOIN a.comments c WITH c.approved = true GROUP BY a.id, a.title HAVING COUNT(c.id) >= 0 ORDER BY n DESC'),
    $dql('SELECT a FROM Article a JOIN a.tags t WHERE t.word IN (:words)', ['words' => ['php', 'sql']]),
    $dql('SELECT a FROM Article a WHERE :tag MEMBER OF a.tags', ['tag' => $tag]),
    $dql('SELECT a FROM Article a WHERE a.comments IS EMPTY'),
    $dql('SELECT a FROM Article a WHERE SIZE(a.comments) > 0'),
    $dql('SELECT a FROM Article a WHERE EXISTS (SELECT c.id FROM Comment c WHERE c.article = a AND c.approved = false)'),
    $dql('SELECT a.slug FROM Article a WHERE a.author IN (SELECT w.id FROM Author w WHERE w.name LIKE :name)', ['name' => 'A%']),
    $dql('SELECT a FROM Article a WHERE LOWER(a.title) LIKE :q OR LOWER(a.body) LIKE :q', ['q' => '%hello%']),
    $dql('SELECT a FROM Article a WHERE a.publishedAt BETWEEN :a AND :b', ['a' => $now->modify('-1 month'), 'b' => $now]),
    $dql('SELECT a.id FROM Article a WHERE a.publishedAt < CURRENT_TIMESTAMP()'),
    $dql('SELECT a.id FROM Article a WHERE a.createdAt > DATE_SUB(CURRENT_DATE(), 7, \'DAY\')'),
    $dql('SELECT CONCAT(a.title, \' \', w.name) AS line, LENGTH(a.body) AS size FROM Article a JOIN a.author w'),
    $dql('SELECT COALESCE(a.views, 0) AS views, UPPER(a.slug) AS slug, SUBSTRING(a.body, 1, 100) AS start FROM Article a'),
    $dql("SELECT CASE WHEN a.views > 100 THEN 'hot' WHEN a.views > 10 THEN 'warm' ELSE 'cold' END AS heat, COUNT(a.id) AS n FROM Article a GROUP BY heat"),
    $dql('SELECT w.name, SUM(a.views) AS views, MAX(a.publishedAt) AS last FROM Article a JOIN a.author w GROUP BY w.name'),
    $dql('SELECT COUNT(DISTINCT a.author) FROM Article a'),
    $dql('SELECT a, c FROM Article a LEFT JOIN a.category c WHERE c.lft >= 1 AND c.rgt <= 10'),
    $dql('SELECT p FROM Page p WHERE p INSTANCE OF Landing'),
    $dql('SELECT c FROM Comment c JOIN c.article a JOIN a.author w WHERE w.id = :id AND c.writtenAt > :since ORDER BY c.writtenAt DESC', ['id' => 1, 'since' => $now->modify('-1 day')]),
    $dql('SELECT v.day, COUNT(v.id) AS n, AVG(v.seconds) AS seconds FROM Visit v WHERE v.day >= :day GROUP BY v.day ORDER BY v.day', ['day' => $now->modify('-30 days')->format('Y-m-d')]),
    $dql('SELECT v.day, v.time FROM Visit v WHERE v.time < :noon', ['noon' => '12:00:00']),
    $dql('SELECT v.day FROM Visit v WHERE v.day = CURRENT_DATE()'),
    $dql('SELECT IDENTITY(v.article) AS article, SUM(v.seconds) AS total FROM Visit v GROUP BY v.article'),
    $dql('SELECT DATE_DIFF(CURRENT_DATE(), v.day) AS days FROM Visit v'),
    $dql('SELECT MOD(a.id, 2) AS parity, ABS(a.views) AS views, NULLIF(a.body, \'\') AS body FROM Article a'),
    fn () => $em->createQueryBuilder()->select('a', 'w')->from(Article::class, 'a')->innerJoin('a.author', 'w', Join::WITH, 'w.name = :n')->where('a.status = :s')->andWhere('a.views IS NOT NULL')->setParameter('n', 'Ada')->setParameter('s', 'live')->orderBy('a.id')->getQuery()->getResult(),
    $native('SELECT t.word, COUNT(*) AS n FROM tag t INNER JOIN article_tag x ON x.tag_id = t.id GROUP BY t.word ORDER BY n DESC LIMIT 20'),
    $native('SELECT c.id, c.title, COUNT(p.id) AS n FROM category c LEFT JOIN page p ON p.category_id = c.id WHERE c.parent_id IS NULL GROUP BY c.id, c.title'),
    $native('WITH RECURSIVE tree AS (SELECT id, parent_id, title, 1 AS depth FROM category WHERE parent_id IS NULL UNION ALL SELECT c.id, c.parent_id, c.title, t.depth + 1 FROM category c JOIN tree t ON c.parent_id = t.id) SELECT * FROM tree ORDER BY depth'),
    $native('SELECT id, title, ROW_NUMBER() OVER (PARTITION BY author_id ORDER BY views DESC) AS place FROM page WHERE kind = ?', ['article']),
];
array_push($reads, ...($postgres ? [
    $native("SELECT date_trunc('month', publishedat) AS month, COUNT(*) FROM page GROUP BY 1 ORDER BY 1"),
    $native("SELECT to_char(publishedat, 'YYYY/MM') AS archive, COUNT(*) FROM page WHERE status = 'live' GROUP BY 1 ORDER BY 1 DESC"),
    $native("SELECT id, ts_rank(to_tsvector('english', title || ' ' || coalesce(body, '')), plainto_tsquery('english', :q)) AS rank FROM page WHERE to_tsvector('english', title || ' ' || coalesce(body, '')) @@ plainto_tsquery('english', :q) ORDER BY rank DESC", ['q' => 'hello']),
    $native("SELECT id FROM author WHERE roles::jsonb @> :role::jsonb", ['role' => '["editor"]']),
    $native("SELECT name FROM author WHERE EXISTS (SELECT 1 FROM json_array_elements_text(roles) r WHERE r = 'editor')"),
    $native("SELECT EXTRACT(HOUR FROM time) AS hour, COUNT(*) FROM visit WHERE day > now() - interval '7 days' GROUP BY 1"),
    $native('SELECT p.slug, (SELECT json_agg(t.word) FROM tag t JOIN article_tag x ON x.tag_id = t.id WHERE x.article_id = p.id) AS words FROM page p'),
] : [
    $native("SELECT DATE_FORMAT(publishedat, '%Y/%m') AS archive, COUNT(*) AS n FROM page WHERE status = 'live' GROUP BY archive ORDER BY archive DESC"),
    $native("SELECT YEAR(publishedat) AS y, MONTH(publishedat) AS m, COUNT(*) AS n FROM page GROUP BY y, m"),
    $native("SELECT id FROM author WHERE JSON_CONTAINS(roles, :role)", ['role' => '"editor"']),
    $native('SELECT HOUR(time) AS hour, COUNT(*) AS n FROM visit WHERE day > CURDATE() - INTERVAL 7 DAY GROUP BY hour'),
    $native("SELECT p.slug, GROUP_CONCAT(t.word ORDER BY t.word) AS words FROM page p LEFT JOIN article_tag x ON x.article_id = p.id LEFT JOIN tag t ON t.id = x.tag_id GROUP BY p.id"),
    $native('SELECT day, SEC_TO_TIME(SUM(seconds)) AS total FROM visit GROUP BY day'),
    $native('SELECT TIMESTAMP(day, time) AS at FROM visit'),
    $native('SELECT SUBSTRING_INDEX(email, \'@\', -1) AS domain, COUNT(*) AS n FROM author GROUP BY domain'),
]));
$failed = 0;
foreach ($reads as $number => $read) {
    try {
        $em->clear();
        $read();
    } catch (Throwable $error) {
        fwrite(STDERR, "read $number: " . substr($error->getMessage(), 0, 500) . "\n");
        $failed = 1;
    }
}
exit($failed);
